"""What is sent and answered, one file per noun, for the OpenAPI document and to read bodies with."""
