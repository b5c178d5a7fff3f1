# src/mint
