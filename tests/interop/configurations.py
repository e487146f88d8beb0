"""What the servers of servers.py are told: recipients are treated by how their address begins; the rest is kept."""

from __future__ import annotations

from collections.abc import Mapping

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

# It takes its time over a few, so that others open connections meanwhile, however fast it is.
POSTFIX_RECIPIENTS = """\
/^user[0-2]@/ sleep 1
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


def exim_relay(conf: str, routes: Mapping[str, str]) -> str:
    """EXIM, and mail for each domain goes to its ``ADDRESS:PORT``. Without retry rules it gives up at once."""
    routers, transports = "", ""
    for number, (domain, to) in enumerate(routes.items()):
        address, _, port = to.rpartition(":")
        routers += f"route{number}:\n  driver = manualroute\n  domains = {domain}\n  route_list = * {address}\n"
        routers += f"  self = send\n  transport = away{number}\n"
        transports += f"away{number}:\n  driver = smtp\n  allow_localhost\n  port = {port}\n  hosts_avoid_tls = *\n"
    conf = conf.replace("begin routers\n", f"begin routers\n{routers}")
    conf = conf.replace("begin transports\n", f"begin transports\n{transports}")
    conf = conf.replace("acl_smtp_data = message", "acl_smtp_data = accept")
    return conf.replace("acl_smtp_rcpt = recipient", "acl_smtp_rcpt = accept\ndsn_advertise_hosts = *")


def opensmtpd_relay(conf: str, routes: Mapping[str, str]) -> str:
    """OPENSMTPD, and mail for each domain goes to its ``ADDRESS:PORT``."""
    away = "".join(
        f'action away{number} relay host smtp+notls://{to}\nmatch from any for domain "{domain}" action away{number}\n'
        for number, (domain, to) in enumerate(routes.items())
    )
    return conf.replace(" filter everything\n", "\n").replace("match from any for any", f"{away}match from any for any")


# Debian's sendmail.mc without what slows clients down, and a mailer of its own for each route
SENDMAIL = """\
define(`_USE_ETC_MAIL_')dnl
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(`debian')dnl
DOMAIN(`debian-mta')dnl
HACK(`nodns')dnl
undefine(`confHOST_STATUS_DIRECTORY')dnl
undefine(`confCONTROL_SOCKET_NAME')dnl
define(`ALIAS_FILE', `')dnl
define(`confDOMAIN_NAME', `relay.interop.test')dnl
define(`confTRUSTED_USER', `root')dnl
define(`confTO_IDENT', `0')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`mailertable', `text -o -k0 -v1 /etc/mail/mailertable')dnl
DAEMON_OPTIONS(`Family=inet, Name=MTA-v4, Port={port}, Addr=127.0.0.1')dnl
define(`confPRIVACY_FLAGS', `needmailhelo,needexpnhelo,needvrfyhelo,restrictqrun,restrictexpand,nobodyreturn')dnl
MAILER_DEFINITIONS
{mailers}
MAILER(`local')dnl
MAILER(`smtp')dnl
"""
SENDMAIL_MAILER = (
    "Mroute{number}, P=[IPC], F=mDFMuXa, S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP, E=\\r\\n, L=990, "
    "T=DNS/RFC822/SMTP, A=TCP $h {port}"
)


def sendmail(port: int, routes: Mapping[str, str]) -> tuple[str, str]:
    """sendmail.mc, and the mailertable that sends each domain to its ``ADDRESS:PORT``."""
    mailers, table = [], []
    for number, (domain, to) in enumerate(routes.items()):
        address, _, far = to.rpartition(":")
        mailers.append(SENDMAIL_MAILER.format(number=number, port=far))
        table.append(f"{domain} route{number}:[{address}]\n")
    return SENDMAIL.format(port=port, mailers="\n".join(mailers)), "".join(table)


def courier(routes: Mapping[str, str]) -> dict[str, str]:
    """The files of /etc/courier that Debian's packages do not have, by name."""
    return {
        "me": "mx.interop.test\n",
        "defaultdomain": "mx.interop.test\n",
        "locals": "localhost\n",
        "dsnfrom": "mailer-daemon@mx.interop.test\n",
        "esmtproutes": "".join(f"{domain}:[{to.replace(':', '],')}\n" for domain, to in routes.items()),
    }
