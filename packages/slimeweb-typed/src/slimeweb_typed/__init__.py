"""Handlers that are called with what their parameters say: values of the request, checked, and resources."""

from slimeweb_typed.errors import InvalidReturn, ParameterError
from slimeweb_typed.markers import ApiKey, Bearer, Body, Cookie, Depends, File, Form, Header, Query

__all__ = [
    "ApiKey",
    "Bearer",
    "Body",
    "Cookie",
    "Depends",
    "File",
    "Form",
    "Header",
    "InvalidReturn",
    "ParameterError",
    "Query",
]
