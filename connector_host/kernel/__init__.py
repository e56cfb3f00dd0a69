"""Floor 2: the policy. It knows the contract and no built-in part."""
