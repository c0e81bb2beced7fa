"""What is expected of customers, visits and sales: fitted to one business's data, engine-free.

Arrow in, Arrow out, as `identity/`. Whatever is fitted says how well it did on data held out, and
is refused, with the reason in words, where the data does not allow it.
"""
