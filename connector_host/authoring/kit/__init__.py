"""The conformance kit, and a stand-in server made of a manifest's samples."""
