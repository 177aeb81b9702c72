"""A study's data as configurations learn from them: scaling, columns, texts, sizes of images."""
