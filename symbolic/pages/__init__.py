"""What a page holds beside the derivation: one reader a topic, each from a sheet to sections."""
