"""From plain data to pages: text made safe, templates filled, TeX engines found and run."""
