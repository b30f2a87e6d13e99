"""Steps while somebody watches: values recorded, alarms evaluated."""
