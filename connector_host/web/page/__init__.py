"""The page: windows drawn from the manifests, in the specification's words."""
