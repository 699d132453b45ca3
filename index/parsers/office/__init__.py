"""Office documents: Word, PowerPoint, OpenDocument, RTF, in their present and earlier forms."""
