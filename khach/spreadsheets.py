"""What a spreadsheet does to text, and what keeps it from doing so.

Excel guesses: it runs text that begins with `=`, drops the zero of a phone number, rounds beyond
15 digits. In a CSV such text gets an apostrophe before it; xlsx cells have a type, text is text.
The patterns are both Python's and DuckDB's.
"""

# Rows of data that a sheet holds below its header.
XLSX_ROWS = 1_048_575
# Without it Excel takes Vietnamese in a CSV for another charset.
BOM = b"\xef\xbb\xbf"
_FORMULA = r"^\s*[-=+@＝＋－＠]|^[\t\r\n]"
_GUESSED = r"^(0\d+|\d{12,}|\d+([.]\d+)?[eE]\d+|\d{1,4}[-/]\d{1,2}([-/]\d{1,4})?)$"
MISLEADING = f"{_FORMULA}|{_GUESSED}"
# Such bytes make a whole xlsx unreadable.
UNPRINTABLE = r"[\x00-\x08\x0b\x0c\x0e-\x1f]"
