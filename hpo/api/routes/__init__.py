"""One file per noun of the API; `app.ROUTERS` lists them."""
