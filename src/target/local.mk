# src/target
