"""The file that ships, as training sees it: written, measured, scored."""
