# src/broker
