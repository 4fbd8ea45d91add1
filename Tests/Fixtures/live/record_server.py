"""An RTSP server of GStreamer that takes recordings: record_server.py PORT COUNT [USER PASSWORD]

Prints 'ready' when it listens, and 'frames COUNT' once so many video frames have been decoded.
"""
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
port, wanted = sys.argv[1], int(sys.argv[2])
server = GstRtspServer.RTSPServer()
server.set_service(port)
server.set_address("127.0.0.1")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch("( decodebin name=depay0 ! fakesink name=sink sync=false signal-handoffs=true )")
factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
count = 0


def decoded(*_):
    global count
    count += 1
    if count == wanted:
        print("frames", count, flush=True)


def configure(_, media):
    media.get_element().get_by_name("sink").connect("handoff", decoded)


factory.connect("media-configure", configure)
if len(sys.argv) > 3:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "user")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(sys.argv[3], sys.argv[4]), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("user", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
    permissions.add_permission_for_role("user", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
    factory.set_permissions(permissions)
server.get_mount_points().add_factory("/night", factory)
server.attach(None)
print("ready", flush=True)
# A test that has died leaves nothing behind.
GLib.timeout_add_seconds(120, sys.exit)
GLib.MainLoop().run()
