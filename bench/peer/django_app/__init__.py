"""The peer as a Django application, with the settings that Django and REST framework come with."""
