"""The stages of docs-mlm, one module or folder a stage, named after its one Prefect task."""
