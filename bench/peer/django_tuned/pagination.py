from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    ordering = ("-start_time", "-id")
