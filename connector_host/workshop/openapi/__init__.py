"""From an OpenAPI 3 document to a plugin: servers, inputs, requests, paging, outputs and samples."""
