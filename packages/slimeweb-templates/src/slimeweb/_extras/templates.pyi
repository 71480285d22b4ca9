"""The extra `templates`, where it is installed."""

from slimeweb_templates.members import AppMembers as AppMembers
from slimeweb_templates.members import RequestMembers as RequestMembers
