# src/merkle
