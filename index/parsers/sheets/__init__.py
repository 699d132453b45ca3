"""Spreadsheets: .xlsx, .xlsb, .xls and .ods."""
