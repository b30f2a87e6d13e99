"""One step seen from inside: replayed, monitored, alarmed."""
