"""The diagnosis of trainings: curves from reports, neighbours in the study, rules, labels."""
