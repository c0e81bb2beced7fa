"""report.html: one static page a retailer can show the board."""

from khach.report.page import write_report

__all__ = ["write_report"]
