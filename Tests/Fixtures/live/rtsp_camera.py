"""A camera: serves PLAY at rtsp://127.0.0.1:PORT/cam (H.264, AAC), /silent (H.264), /audio (AAC), /hevc.

Arguments: PORT [USER PASSWORD], with which it asks for Digest authentication. One thread, which makes one slice: before each
slice of a key frame the payloader repeats the parameter sets, and readers then take the slices for pictures.
"""
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer

Gst.init(None)
port, login = sys.argv[1], sys.argv[2:4]
picture = "videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=180,framerate=25/1"
video = f"{picture} ! x264enc tune=zerolatency threads=1 speed-preset=ultrafast key-int-max=25 ! rtph264pay config-interval=-1"
hevc = f"{picture} ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! rtph265pay config-interval=-1"
audio = "audiotestsrc is-live=true ! audioconvert ! avenc_aac ! rtpmp4gpay"
scenes = {
    "/cam": f"( {video} name=pay0 pt=96 {audio} name=pay1 pt=97 )",
    "/silent": f"( {video} name=pay0 pt=96 )",
    "/audio": f"( {audio} name=pay0 pt=97 )",
    "/hevc": f"( {hevc} name=pay0 pt=96 )",
}
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
if login:
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtspServer.RTSPAuthMethod.DIGEST if hasattr(GstRtspServer, "RTSPAuthMethod") else 2)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest(login[0], login[1], token)
    server.set_auth(auth)
for path, launch in scenes.items():
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(launch)
    factory.set_shared(True)
    if login:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory(path, factory)
server.attach(None)
GLib.MainLoop().run()
