"""TLS for a plain server: `tls.py CERTIFICATE TARGET NAME…` listens on a port of 127.0.0.1, which it prints, under these
names, with a certificate of its own making that it writes to a file; what comes is passed on to TARGET (`host:port`), but
a request for `/elsewhere?URL`, which is sent there."""

import datetime
import select
import socket
import ssl
import sys
import threading
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def certificate(path, names):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "names of a test")])
    day, now = datetime.timedelta(days=1), datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), False)
    made = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with open(path, "wb") as file:
        file.write(made + secret)


def pass_on(stream, service):
    while True:
        ready = [stream] if stream.pending() else select.select([stream, service], [], [])[0]
        for source in ready:
            piece = source.recv(1 << 16)
            if not piece:
                return
            (service if source is stream else stream).sendall(piece)


def serve(context, connection, target):
    try:
        with context.wrap_socket(connection, server_side=True) as stream:
            head = stream.recv(1 << 16)
            if head.startswith(b"GET /elsewhere?"):
                place = unquote(head.split()[1].split(b"?", 1)[1].decode())
                stream.sendall(f"HTTP/1.1 307 Elsewhere\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())
            elif head:
                with socket.create_connection(target) as service:
                    service.sendall(head)
                    pass_on(stream, service)
    except OSError:
        pass


def main(path, target, names):
    certificate(path, names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    host, port = target.split(":")
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(context, connection, (host, int(port))), daemon=True).start()


main(sys.argv[1], sys.argv[2], sys.argv[3:])
