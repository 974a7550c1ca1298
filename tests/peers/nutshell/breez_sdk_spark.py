"""Stands in for a Lightning SDK that nutshell imports at start and the fake wallet never calls.

The releases that nutshell 0.20.3 asks for were withdrawn by their publisher, so that an ordinary
install of it no longer resolves. Every name is a class without behaviour.
"""


class _Name(type):
    def __getattr__(cls, name):
        return _Name(name, (), {})


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return _Name(name, (), {})
