"""The ledger: slots of the budget, leases, reports and results of one study."""
