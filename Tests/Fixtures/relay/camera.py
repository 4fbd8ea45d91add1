#!/usr/bin/python3
"""An IP camera: an RTSP server (gst-rtsp-server) that serves one live stream. Prints one JSON line when it is ready: url, port.

  camera.py [--port 0] [--size 640x360] [--fps 25] [--codec h264|h265|mjpeg] [--audio none|aac|pcmu] [--user U --password P]
            [--pattern] [--other-size 320x180] [--no-video]

--pattern draws the strip of strip.py on a street instead of a test chart. SIGUSR1 changes between --size and --other-size in
the running stream; SIGSTOP stalls the camera, SIGTERM ends it. Needs gst-rtsp-server (gir1.2-gst-rtsp-server-1.0), python3-gi
and GStreamer's base, good, ugly (x264enc) and libav plug-ins.
"""
import argparse, json, os, signal, sys, threading, time
import gi
gi.require_version('Gst', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import GLib, Gst, GstRtspServer
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pattern

VIDEO = {
    'h264': 'x264enc tune=zerolatency speed-preset=ultrafast threads=1 bitrate={rate} key-int-max={gop} '
            '! video/x-h264,profile=baseline ! rtph264pay name=pay0 pt=96 config-interval=-1',
    'h265': 'x265enc tune=zerolatency speed-preset=ultrafast bitrate={rate} key-int-max={gop} '
            '! rtph265pay name=pay0 pt=96 config-interval=-1',
    'mjpeg': 'jpegenc ! rtpjpegpay name=pay0 pt=26',
}
AUDIO = {
    'aac': 'audio/x-raw,rate=48000,channels=1 ! avenc_aac bitrate=64000 ! aacparse ! rtpmp4gpay name={pay} pt=97',
    'pcmu': 'audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name={pay} pt=0',
}


def caps(size, fps):
    return f'video/x-raw,format=I420,width={size[0]},height={size[1]},framerate={fps}/1'


def launch(args):
    parts = []
    if not args.no_video:
        if args.pattern:
            source = f'appsrc name=source is-live=true do-timestamp=true format=time max-bytes=2000000 caps={caps(args.size, args.fps)}'
        else:
            source = f'videotestsrc is-live=true pattern=smpte ! capsfilter name=shape caps={caps(args.size, args.fps)}'
        parts.append(source + ' ! ' + VIDEO[args.codec].format(rate=args.bitrate, gop=args.gop))
    if args.audio != 'none':
        pay = 'pay1' if parts else 'pay0'
        parts.append('audiotestsrc name=sound is-live=true wave=ticks ! audioconvert ! audioresample ! ' + AUDIO[args.audio].format(pay=pay))
    return '( ' + ' '.join(parts) + ' )'


class Pushing(threading.Thread):
    """Pushes numbered frames into the appsrc of the running media."""

    def __init__(self, args):
        super().__init__(daemon=True)
        self.fps, self.source, self.lock = args.fps, None, threading.Lock()
        self.args, self.frames = args, pattern.Frames(*args.size)

    def resize(self, size):
        frames = pattern.Frames(*size)
        with self.lock:
            frames.number, self.frames = self.frames.number, frames
            if self.source is not None:
                self.source.set_property('caps', Gst.Caps.from_string(caps(size, self.fps)))

    def run(self):
        due = time.monotonic()
        while True:
            due += 1 / self.fps
            late = time.monotonic() - due
            # After a stall the camera goes on with now; it does not send what it missed.
            if late > 1:
                due = time.monotonic()
            time.sleep(max(0, -late))
            with self.lock:
                if self.source is None:
                    self.frames.number += 1
                    continue
                # A pipeline that is still starting refuses, and so does one that has ended, until the next one takes its place.
                self.source.emit('push-buffer', Gst.Buffer.new_wrapped(self.frames.next()))

    def configure(self, _, media):
        with self.lock:
            self.source = media.get_element().get_by_name('source')


def protect(server, factory, user, password):
    """Digest authentication for everything."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(2)  # digest
    token = GstRtspServer.RTSPToken()
    token.set_string('media.factory.role', 'user')
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_role('user')
    for right in ('media.factory.access', 'media.factory.construct'):
        permissions.add_permission_for_role('user', right, True)
    factory.set_permissions(permissions)
    return auth, token, permissions


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--port', default='0')
    parser.add_argument('--path', default='/camera')
    parser.add_argument('--size', type=pattern.parse_size, default=(640, 360))
    parser.add_argument('--other-size', type=pattern.parse_size)
    parser.add_argument('--fps', type=int, default=25)
    parser.add_argument('--codec', choices=VIDEO, default='h264')
    parser.add_argument('--bitrate', type=int, default=1000, help='kbit/s')
    parser.add_argument('--gop', type=int, default=25, help='frames from key frame to key frame')
    parser.add_argument('--audio', choices=['none'] + list(AUDIO), default='none')
    parser.add_argument('--no-video', action='store_true')
    parser.add_argument('--pattern', action='store_true')
    parser.add_argument('--user')
    parser.add_argument('--password')
    args = parser.parse_args()

    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address('127.0.0.1')
    server.set_service(args.port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(launch(args))
    factory.set_shared(True)
    factory.set_latency(0)
    kept = protect(server, factory, args.user, args.password) if args.user else None

    pushing = Pushing(args) if args.pattern else None
    shapes = [args.size, args.other_size or args.size]
    medias = []

    def unseekable(_, info):
        # A test tone says that it can seek; a camera cannot, and the server would try when a reader asks for "npt=0-".
        return Gst.PadProbeReturn.DROP if info.get_query().type == Gst.QueryType.SEEKING else Gst.PadProbeReturn.OK

    def configure(sender, media):
        medias[:] = [media]
        for name in ('sound', 'shape'):
            part = media.get_element().get_by_name(name)
            if part is not None:
                part.get_static_pad('src').add_probe(Gst.PadProbeType.QUERY_UPSTREAM, unseekable)
        if pushing:
            pushing.configure(sender, media)
    factory.connect('media-configure', configure)

    def change():
        shapes.reverse()
        if pushing:
            pushing.resize(shapes[0])
        else:
            for media in medias:
                media.get_element().get_by_name('shape').set_property('caps', Gst.Caps.from_string(caps(shapes[0], args.fps)))
            factory.set_launch(launch(argparse.Namespace(**{**vars(args), 'size': shapes[0]})))
        return True

    server.get_mount_points().add_factory(args.path, factory)
    if server.attach(None) == 0:
        print(f'cannot listen on port {args.port}', file=sys.stderr)
        sys.exit(1)
    loop = GLib.MainLoop()
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGUSR1, change)
    for number in (signal.SIGTERM, signal.SIGINT):
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, loop.quit)
    if pushing:
        pushing.start()
    # Sessions of readers that vanished must not be kept for ever.
    GLib.timeout_add_seconds(5, lambda: server.get_session_pool().cleanup() >= 0)
    port = server.get_bound_port()
    print(json.dumps({'url': f'rtsp://127.0.0.1:{port}{args.path}', 'port': port}), flush=True)
    loop.run()
    os._exit(0)


if __name__ == '__main__':
    main()
