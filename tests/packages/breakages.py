# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages with every module in use, the daemon under systemd and Exim wired: one thing after the
other is broken, `sealctl check` names it with what to do, and it is put right again. Runs as root in a
system that can be thrown away."""

import contextlib
import dataclasses
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import breaking
import certs
import slapd
import tap
from breaking import shell

ETC = pathlib.Path("/etc/sealpipe")
CONF = ETC / "conf.d"
CERTS, ANCHOR, PRIVATE = ETC / "certs", ETC / "ca.pem", ETC / "server-keys"
STATE = pathlib.Path("/var/lib/sealpipe")
HOME = pathlib.Path("/var/lib/sealpipe-keys/gnupg")
LOG = pathlib.Path("/var/log/sealpipe")
SPOOL = pathlib.Path("/var/spool/sealpipe-test")
MODULES = next(pathlib.Path("/usr/lib").glob("*/sealpipe/modules"))
OURS = CONF / "70-breakages.conf"
LAST = CONF / "99-broken.conf"
FOLDER = pathlib.Path("/var/tmp/sealpipe-breakages")
SIGNER, BOB = "root@mta.test", "bob@example.org"

ALL = """[core]
log_target={log}/sealpipe.log
spool_dir={spool}

[policy]
sign=preferred

[module smime]
server_keys={private}
passphrase_file={etc}/server-keys.passphrase

[module pgp]
home={home}

[module sign]
submission_domains=mta.test

[module keys-store]

[module keys-ldap]
enabled=true
servers={server}
starttls=never
base={base}
bind_dn={bind}
bind_password_file={etc}/ldap.password

[module license]
file={etc}/licence
public_key={etc}/licence.pub
"""


# ---------------------------------------------------------------------------------------------
# All of it in use

def put_signing_keys(person):
    certs.openssl("pkcs12", "-export", "-in", person.cert, "-inkey", person.key, "-out", PRIVATE / "root.p12",
                  "-passout", f"file:{ETC}/server-keys.passphrase")


GPG = f"cd /; runuser -u sealpipe-keys -- gpg --homedir {HOME} --batch --yes --pinentry-mode loopback --passphrase ''"
STOP = f"cd /; runuser -u sealpipe-keys -- gpgconf --homedir {HOME} --kill all"


def put_licence():
    shell(f"""
cd {FOLDER}
echo 'correct horse' >issuer.passphrase; chmod 600 issuer.passphrase
sealctl license keygen --out issuer --passphrase-file issuer.passphrase
sealctl license issue --key issuer.key --passphrase-file issuer.passphrase --kind commercial \
  --licensee 'Example Ltd' --valid-until 2100-01-01 --out licence
sealctl license issue --key issuer.key --passphrase-file issuer.passphrase --kind commercial \
  --licensee 'Example Ltd' --issued 2019-01-01 --valid-until 2020-01-01 --out lapsed
install -m 644 licence issuer.pub {ETC}/; mv {ETC}/issuer.pub {ETC}/licence.pub
""")


def start_directory():
    directory = slapd.Slapd(FOLDER / "slapd").start()
    directory.add(slapd.tree())
    return directory


def set_up():
    shell(f"rm -rf {FOLDER} {PRIVATE}; install -d -m 755 {FOLDER} {CERTS}; install -d -m 700 {PRIVATE}; "
          f"install -d -m 1777 {SPOOL}; rm -f {CERTS}/*")
    authority = certs.Authority(FOLDER / "authority")
    alice, bob = (authority.person(address, "rsa") for address in ("alice@example.org", BOB))
    shell(f"install -m 644 {authority.cert} {ANCHOR}; install -m 644 {alice.cert} {CERTS}/alice.pem")
    for name, text in (("server-keys", "a passphrase"), ("ldap", slapd.PASSWORD)):
        path = ETC / (f"{name}.password" if name == "ldap" else f"{name}.passphrase")
        path.write_text(text + "\n")
        path.chmod(0o600)
    shell(f"chown sealpipe {ETC}/ldap.password")
    put_signing_keys(authority.person(SIGNER, "rsa"))
    shell(f"rm -rf {HOME}; install -d -m 700 -o sealpipe-keys -g sealpipe-keys {HOME}; "
          f"{GPG} --quick-gen-key 'Root <{SIGNER}>' future-default default 2y; {STOP}")
    put_licence()
    directory = start_directory()
    OURS.write_text(ALL.format(log=LOG, spool=SPOOL, private=PRIVATE, etc=ETC, home=HOME, server=directory.uri,
                               base=slapd.PEOPLE, bind=slapd.ROOT))
    # The first time, it makes the log's folder.
    shell(f"sealctl status >/dev/null || true; {RESTART}")
    shell(f"sealctl keys add --source store {bob.cert}")
    return authority, directory


# ---------------------------------------------------------------------------------------------
# What can be broken

@dataclasses.dataclass
class Fault:
    """@topics: one of them names it, in @says, a pattern. @does: in the shell; what it did to @keeps is
    undone, as all else is by @undo and @after. @before: called first."""
    what: str
    topics: str
    says: str
    does: str = ""
    keeps: tuple = ()
    undo: str = "true"
    state: str = "problem"
    before: object = None
    after: object = None
    ahead: tuple = ()


def conf(text):
    """A last file of the configuration, which has the last word."""
    return f"cat >{LAST} <<'END'\n{text}\nEND\n"


def setting(what, topics, says, text, **more):
    return Fault(what, topics, says, conf(text), (LAST,), **more)


def leaf(name, start, end, address, subject="/CN=Leaf"):
    return AUTHORITY.leaf(name, address, "digitalSignature,keyEncipherment", start, end, subject)


def put_expired_signer():
    put_signing_keys(leaf("old-signer", "20200101000000Z", "20210101000000Z", "billing@mta.test"))


def put_expired_recipient():
    old = leaf("old-alice", "20200101000000Z", "20210101000000Z", "alice@example.org")
    shell(f"install -m 644 {old.cert} {CERTS}/alice.pem")


def put_unfit_pair():
    """The certificate of one, and the key of another."""
    one, two = AUTHORITY.person(SIGNER, "rsa", "one"), AUTHORITY.person(SIGNER, "rsa", "two")
    (PRIVATE / "root.p12").unlink()
    (PRIVATE / "root.pem").write_bytes(one.cert.read_bytes() + two.key.read_bytes())
    (PRIVATE / "root.pem").chmod(0o600)


def put_second_alice():
    other = leaf("second-alice", "20200101000000Z", "20900101000000Z", "alice@example.org", "/CN=Another Alice")
    shell(f"install -m 644 {other.cert} {CERTS}/second-alice.pem")


def put_shared_key():
    alice = FOLDER / "authority/private/alice@example.org.key"
    both = AUTHORITY.leaf("shared", "dave@example.org", "digitalSignature,keyEncipherment", "20200101000000Z",
                          "20900101000000Z", key=alice)
    shell(f"install -m 644 {both.cert} {CERTS}/dave.pem")


def put_anchor(*extensions, days=30):
    certs.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", FOLDER / "other.key", "-out", ANCHOR,
                  "-days", days, "-subj", "/CN=Other", *[word for text in extensions for word in ("-addext", text)])


def put_old_anchor():
    old = AUTHORITY.leaf("old-root", "nobody@example.org", "keyCertSign", "20200101000000Z", "20210101000000Z")
    shell(f"install -m 644 {old.cert} {ANCHOR}")


RELOAD = "systemctl reload sealpiped"
RESTART = "systemctl reset-failed sealpiped; systemctl restart sealpiped"
FAULTS = [
    # The configuration
    Fault("a conf file that everybody can write", "configuration|files", r"20-policy\.conf.*written",
          f"chmod 666 {CONF}/20-policy.conf", (CONF / "20-policy.conf",)),
    Fault("a conf file of somebody else's", "configuration|files", r"20-policy\.conf",
          f"chown nobody {CONF}/20-policy.conf", (CONF / "20-policy.conf",)),
    Fault("a line that is none", "configuration", r"99-broken\.conf:2", f"{conf('[policy]')}echo encrypt >>{LAST}",
          (LAST,)),
    setting("an unknown setting", "configuration", r"99-broken\.conf:2.*encyrpt", "[policy]\nencyrpt=required"),
    setting("a value that is none", "configuration", r"99-broken\.conf:2.*sometimes", "[policy]\nencrypt=sometimes"),
    setting("a key source that is none", "configuration|pipelines", r"nowhere", "[keyring]\nsources=file;nowhere"),
    setting("a stage that is none", "configuration|pipelines", r"seal-it", "[pipeline]\noutbound=smime;seal-it"),
    Fault("no module is enabled", "configuration|modules", r"no (format )?module|unencrypted",
          f"rm {OURS} {CONF}/50-local.conf", (OURS, CONF / "50-local.conf")),
    Fault("suspended", "configuration", "sealctl resume", "sealctl suspend", undo="sealctl resume"),
    setting("switched off", "configuration", "enabled=true", "[core]\nenabled=false"),
    # Modules
    Fault("a module that is not there", "configuration|modules", r"smime", f"mv {MODULES}/smime.so {FOLDER}/",
          undo=f"mv {FOLDER}/smime.so {MODULES}/"),
    Fault("a module that everybody can write", "configuration|modules", r"pgp\.so.*written", f"chmod 666 {MODULES}/pgp.so",
          undo=f"chmod 644 {MODULES}/pgp.so"),
    Fault("a module that is no program", "configuration|modules", r"pgp", f"mv {MODULES}/pgp.so {FOLDER}/; "
          f"echo nonsense >{MODULES}/pgp.so", undo=f"mv {FOLDER}/pgp.so {MODULES}/"),
    Fault("a module that is there twice", "configuration|modules", r"smime", f"cp -p {MODULES}/smime.so {MODULES}/again.so; "
          + conf("[module again]"), (LAST,), undo=f"rm -f {MODULES}/again.so"),
    setting("a stage in no pipeline", "pipelines", "pgp", "[pipeline]\noutbound=license;sign;smime", state="warning"),
    setting("a source that is not asked", "pipelines", "ldap", "[keyring]\nsources=store;file;gnupg", state="warning"),
    # Files
    Fault("state_dir is root's", "files|configuration", str(STATE), f"chown root:root {STATE}", undo=f"chown sealpipe:sealpipe {STATE}"),
    Fault("state_dir for all", "files|configuration", str(STATE), f"chmod 777 {STATE}", undo=f"chmod 700 {STATE}"),
    Fault("state_dir is read-only", "spool", rf"{STATE}.*read-only",
          f"mount --bind {STATE} {STATE}; mount -o remount,bind,ro {STATE}", undo=f"umount {STATE}"),
    Fault("a key file that others can read", "signing|files|configuration", r"root\.p12", f"chmod 644 {PRIVATE}/root.p12",
          (PRIVATE,)),
    Fault("a passphrase that others can read", "signing|files|configuration", r"server-keys\.passphrase",
          f"chmod 644 {ETC}/server-keys.passphrase", undo=f"chmod 600 {ETC}/server-keys.passphrase"),
    Fault("a folder above that is closed", "files|configuration", str(ETC), f"chmod 700 {ETC}", undo=f"chmod 755 {ETC}"),
    Fault("a certificates' folder that cannot be read", "keys|files|configuration|sources", str(CERTS),
          f"chmod 700 {CERTS}", undo=f"chmod 755 {CERTS}"),
    Fault("a log that is root's", "files", str(LOG), f"chown root:root {LOG}/sealpipe.log", state="warning|problem",
          undo=f"chown sealpipe:sealpipe {LOG}/sealpipe.log"),
    # Anchors
    Fault("an anchor that is not there", "anchors|configuration", r"ca\.pem", f"rm {ANCHOR}", (ANCHOR,)),
    Fault("an anchor that the service cannot read", "anchors|files|configuration", r"ca\.pem", f"chmod 600 {ANCHOR}", (ANCHOR,)),
    Fault("an anchor with nothing in it", "anchors|configuration", r"ca\.pem", f": >{ANCHOR}", (ANCHOR,)),
    Fault("an anchor that is not for mail", "anchors|configuration", r"ca\.pem|CN=Other", "", (ANCHOR,),
          before=lambda: put_anchor("extendedKeyUsage=serverAuth"), state="warning"),
    Fault("an anchor that is over", "anchors|configuration", r"ca\.pem|CN=Leaf", "", (ANCHOR,), before=put_old_anchor),
    # Keys
    Fault("a certificates' folder with nothing in it", "keys", str(CERTS), f"rm {CERTS}/*", (CERTS,), state="warning|problem"),
    Fault("a recipient's certificate that has expired", "keys", r"expired: CN=Leaf", "", (CERTS,),
          before=put_expired_recipient, state="warning|problem"),
    Fault("two people with one address", "addresses", r"alice@example\.org", "", (CERTS,), before=put_second_alice,
          state="warning|problem"),
    Fault("one key of two people", "addresses", r"dave@example\.org", "", (CERTS,), before=put_shared_key,
          state="warning|problem"),
    # Signing
    Fault("a signer's certificate that has expired", "signing", r"billing@mta\.test.*expired|expired.*billing@mta\.test|expired", "", (PRIVATE,),
          before=put_expired_signer, state="warning|problem"),
    Fault("a signer's certificate and somebody's key", "signing|configuration", r"root\.pem", "", (PRIVATE,),
          before=put_unfit_pair),
    Fault("a signers' folder with nothing in it", "signing|configuration", str(PRIVATE), f"rm {PRIVATE}/*", (PRIVATE,),
          state="warning|problem"),
    Fault("a passphrase that opens nothing", "signing|configuration", r"root\.p12|passphrase",
          f"echo wrong >{ETC}/server-keys.passphrase", (ETC / "server-keys.passphrase",)),
    Fault("an OpenPGP key that has expired", "signing|keys", r"expired",
          f"{GPG} --quick-set-expire $({GPG} --with-colons --list-keys {SIGNER} | sed -n 's/^fpr:*\\(.*\\):$/\\1/p' | head -n 1) "
          f"seconds=1; sleep 2; {STOP}", (HOME,), state="warning|problem"),
    # GnuPG
    setting("a configuration that the daemon does not have yet", "daemon", r"is not the one.*reload",
            "[policy]\nencrypt_to_sender=false", state="warning"),
    Fault("no GnuPG home", "gnupg|configuration", str(HOME), f"{STOP}; mv {HOME} {HOME}.away",
          undo=f"rm -rf {HOME}; mv {HOME}.away {HOME}"),
    Fault("a GnuPG home for all", "gnupg|configuration|files", str(HOME), f"chmod 755 {HOME}", undo=f"chmod 700 {HOME}"),
    Fault("a GnuPG home of somebody else's", "gnupg|configuration|files", str(HOME), f"{STOP}; chown nobody {HOME}",
          undo=f"chown sealpipe-keys {HOME}"),
    Fault("an agent that does not answer", "gnupg|signing", r"agent|answer",
          f"{STOP}; cd /; runuser -u sealpipe-keys -- gpg-agent --homedir {HOME} --daemon; "
          "pkill -STOP -u sealpipe-keys gpg-agent", undo=f"pkill -KILL -u sealpipe-keys gpg-agent; rm -f {HOME}/S.gpg-agent*"),
    # Sources
    Fault("a directory that is dead", "sources", r"ldap", "", before=lambda: DIRECTORY.kill(),
          after=lambda: DIRECTORY.start()),
    Fault("a directory's password that is wrong", "sources", r"ldap.*(bind|password|credentials)", f"echo wrong >{ETC}/ldap.password",
          (ETC / "ldap.password",)),
    Fault("a directory's password that cannot be read", "sources|files|configuration", r"ldap\.password",
          f"chown root {ETC}/ldap.password", (ETC / "ldap.password",)),
    setting("a base that is not there", "sources", r"ldap", "[module keys-ldap]\nbase=ou=nobody,dc=example,dc=org",
            state="warning|problem"),
    Fault("a store that is none", "sources|keys|configuration", r"store", f"for file in {STATE}/keys-store*/*; do echo nonsense >$file; done",
          (STATE,)),
    # The daemon
    Fault("the daemon does not run", "daemon", r"systemctl", "systemctl stop sealpiped", undo=RESTART),
    Fault("no socket", "daemon", r"sealpiped\.sock", "rm /run/sealpipe/sealpiped.sock", undo=RESTART),
    Fault("a daemon that does not answer", "daemon|keeper", r"answer", "pkill -STOP sealpiped", undo="pkill -CONT sealpiped"),
    Fault("the keeper does not answer", "keeper|daemon", r"keep|keys", "pkill -STOP -u sealpipe-keys sealpiped",
          undo="pkill -CONT -u sealpipe-keys sealpiped"),
    setting("no such keys' user", "keeper|daemon|configuration", r"nobody-keys", "[daemon]\nkeys_user=nobody-keys"),
    setting("no such user", "configuration|daemon", r"nobody-mail", "[core]\nuser=nobody-mail"),
    setting("nobody is let in", "daemon|exim|access", r"peers", "[daemon]\npeers=root"),
    # Licence, clock, spool
    Fault("a licence that has lapsed", "licence|license", r"lapsed|2020-01-01", f"install -m 644 {FOLDER}/lapsed {ETC}/licence",
          (ETC / "licence", STATE)),
    Fault("a licence that is none", "licence|license", r"licence", f"echo nonsense >{ETC}/licence", (ETC / "licence", STATE)),
    Fault("a clock in the past", "clock", r"clock|time|date", ahead=("faketime", "2001-01-01 00:00:00")),
    Fault("a spool that is full", "spool", str(SPOOL), f"mount -t tmpfs -o size=1M,mode=1777 spool {SPOOL}; "
          f"head -c 2M /dev/zero >{SPOOL}/full 2>/dev/null || true", undo=f"umount {SPOOL}", state="warning|problem"),
    setting("no spool", "spool|configuration|files", r"/var/spool/nowhere", "[core]\nspool_dir=/var/spool/nowhere"),
    Fault("a spool that cannot be written", "spool|configuration|files", str(SPOOL), f"chmod 755 {SPOOL}", undo=f"chmod 1777 {SPOOL}"),
]


# ---------------------------------------------------------------------------------------------
# One after the other

AUTHORITY = DIRECTORY = None


@tap.test("with everything in use, nothing is wrong")
def _():
    global AUTHORITY, DIRECTORY
    begun = int(time.time())
    AUTHORITY, DIRECTORY = set_up()
    put_right()
    said = shell(f"journalctl --no-pager --since=@{begun} -u sealpiped -t sealpipe")
    tap.true("log_target" not in said, f"root, who starts it, leaves the log to its user: {said[-2000:]}")


def applied(fault):
    stack = contextlib.ExitStack()
    stack.enter_context(breaking.kept(*fault.keeps))
    stack.callback(shell, fault.undo)
    if fault.after:
        stack.callback(fault.after)
    if fault.before:
        fault.before()
    shell(fault.does)
    return stack


def names(fault, row):
    return (row["topic"] in fault.topics.split("|") and row["state"] in fault.state.split("|") and
            re.search(fault.says, f"{row['text']} {row['remedy']}", re.S))


def put_right():
    """The daemon follows a moment later. Where a key was another one meanwhile, it has read all anew and
    works with what was broken: check says so, and that it has to be reloaded."""
    left = []

    def is_right():
        left[:] = breaking.findings()
        if any("is not the one that the daemon works with" in row["text"] for row in left):
            shell(f"{RELOAD} || true")
        return not left

    try:
        tap.wait_for(is_right, "it was put right", 60)
    except AssertionError as error:
        raise AssertionError(f"{error}: {left}") from None


def break_it(fault):
    def test():
        with applied(fault):
            status, found = breaking.check(ahead=fault.ahead)
        named = [row for row in found if names(fault, row)]
        for row in found:
            tap.note(f"{'*' if row in named else ' '} {row['topic']}: {row['state']}: {row['text']} | {row['remedy']}")
        tap.true(named, f"nothing named it: {found}")
        tap.true(all(len(row["remedy"]) > 8 for row in found), "each says what to do")
        tap.equal(status, 1 if any(row["state"] == "problem" for row in found) else 0, "exit status")
        put_right()
    tap.test(fault.what)(test)


for fault in FAULTS:
    break_it(fault)


@tap.test("and mail is as it was")
def _():
    DIRECTORY.kill()
    shell(f"rm -rf {OURS} {PRIVATE} {SPOOL} {FOLDER} {STATE}/keys-store {STATE}/license "
          f"{ETC}/*.passphrase {ETC}/*.password {ETC}/licence*; {RESTART}")
    tap.equal(breaking.findings(), [])


tap.main()
