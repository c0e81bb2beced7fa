"""A simulated sneaker retailer in Viet Nam: seeded history, real servers, ground truth apart."""
