"""What the servers of servers.py are told: recipients are treated by how their address begins; the rest is kept."""

from __future__ import annotations

EXIM = """\
primary_hostname = mx.interop.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
log_file_path = /log/%s
log_selector = +pipelining
spool_directory = /spool
deliver_drop_privilege = true
keep_environment =
message_size_limit = 50M
tls_advertise_hosts = *
tls_certificate = /etc/cert.pem
tls_privatekey = /etc/key.pem
pipelining_advertise_hosts = *
chunking_advertise_hosts = *
smtp_accept_max = 2000
smtp_accept_max_per_host = {connections}
smtp_accept_max_per_connection = {messages}
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = recipient
acl_smtp_data = message

begin acl
recipient:
  deny local_parts = ^bounce
       message = 550 5.1.1 No such user here
  defer local_parts = ^busy
       message = 451 4.3.0 Please try again later
  accept
message:
  deny condition = ${{if match{{$recipients}}{{^reject}}}}
       message = 550 5.7.1 Not wanted here
  accept

begin routers
all:
  driver = accept
  transport = maildir

begin transports
maildir:
  driver = appendfile
  directory = /mail
  maildir_format
"""

OPENSMTPD = """\
pki mx.interop.test cert "/etc/cert.pem"
pki mx.interop.test key "/etc/key.pem"
table absent {{ "^<?bounce" }}
table later {{ "^<?busy" }}
table unwanted {{ "^<?reject" }}
smtp limit max-mails {messages}
smtp max-message-size 50M
filter absent phase rcpt-to match rcpt-to regex <absent> reject "550 5.1.1 No such user here"
filter later phase rcpt-to match rcpt-to regex <later> reject "451 4.3.0 Please try again later"
filter unwanted phase rcpt-to match rcpt-to regex <unwanted> reject "550 5.7.1 Not wanted here"
filter everything chain {{ absent, later, unwanted }}
listen on 127.0.0.1 port {port} tls pki mx.interop.test hostname mx.interop.test filter everything
action keep maildir "/mail" virtual {{ "@" = mail }}
match from any for any action keep
"""

POSTFIX_MAIN = """\
compatibility_level = 3.6
queue_directory = {place}/queue
data_directory = {place}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.interop.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
virtual_mailbox_domains = static:all
virtual_mailbox_maps = static:all/
virtual_mailbox_base = {place}/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
smtpd_tls_cert_file = {place}/etc/cert.pem
smtpd_tls_key_file = {place}/etc/key.pem
smtpd_tls_security_level = may
smtpd_recipient_restrictions = check_recipient_access regexp:{place}/etc/recipients, reject_unauth_destination
smtpd_relay_restrictions = reject_unauth_destination
smtpd_client_connection_count_limit = {connections}
smtpd_client_connection_rate_limit = 0
smtpd_client_event_limit_exceptions =
message_size_limit = 50000000
header_checks = regexp:{place}/etc/headers
maillog_file = {place}/log/maillog
maillog_file_prefixes = {place}/log
"""

POSTFIX_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
virtual unix - n n - 20 virtual
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
flush unix n - n 1000? 0 flush
"""

POSTFIX_RECIPIENTS = """\
/^bounce/ 550 5.1.1 No such user here
/^busy/ 451 4.3.0 Please try again later
"""

POSTFIX_HEADERS = """\
/^To: reject/ REJECT 5.7.1 Not wanted here
"""

# to be added to POSTFIX_MAIN and POSTFIX_MASTER: mail for far.test goes to a server on 127.0.0.1, given up at once
POSTFIX_RELAY = """\
header_checks =
smtpd_recipient_restrictions =
transport_maps = inline:{{{{ far.test=smtp:[127.0.0.1]:{port} }}}}
maximal_queue_lifetime = 0
smtp_tls_security_level = none
"""
POSTFIX_RELAY_SERVICE = "smtp unix - - n - - smtp\ntrace unix - - n - 0 bounce\n"


def exim_relay(conf: str, port: str) -> str:
    """EXIM, and mail for far.test goes to a server on 127.0.0.1. Without retry rules it gives up at once."""
    router = "far:\n  driver = manualroute\n  domains = far.test\n  route_list = * 127.0.0.1\n  self = send\n"
    router += "  transport = away\n"
    transport = f"away:\n  driver = smtp\n  allow_localhost\n  port = {port}\n  hosts_avoid_tls = *\n"
    conf = conf.replace("begin routers\n", f"begin routers\n{router}")
    conf = conf.replace("begin transports\n", f"begin transports\n{transport}")
    conf = conf.replace("acl_smtp_data = message", "acl_smtp_data = accept")
    return conf.replace("acl_smtp_rcpt = recipient", "acl_smtp_rcpt = accept\ndsn_advertise_hosts = *")


def opensmtpd_relay(conf: str, port: str) -> str:
    """OPENSMTPD, and mail for far.test goes to a server on 127.0.0.1."""
    away = f'action away relay host smtp+notls://127.0.0.1:{port}\nmatch from any for domain "far.test" action away\n'
    return conf.replace(" filter everything\n", "\n").replace("match from any for any", f"{away}match from any for any")
