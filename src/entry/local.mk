# src/entry
