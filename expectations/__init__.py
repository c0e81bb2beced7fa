"""Gates at the edges: Great Expectations on what lands, on the marts, and on what leaves."""
