"""A peer on Django, Django REST framework and PostgreSQL: the design that the product replaces.

``make bench-peer`` measures it beside the product's handlers; the tables are in docs/performance.md.

`compare` runs the bench. It starts a temporary PostgreSQL (`postgres`), and processes (`worker`) that respond
to the same requests: the product (`product`), and the peer (`peer`) with three settings: as Django and REST
framework come (`django_app.settings`), with persistent connections (`django_app.persistent`), and tuned
further (`django_tuned`).
"""
