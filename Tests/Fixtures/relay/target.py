#!/usr/bin/python3
"""A server that streams are published to: an RTSP server (gst-rtsp-server) that accepts RECORD, and decodes what comes.

  target.py [--port 0] [--audio none|aac|pcmu] [--user U --password P] [--seconds N]

Prints a JSON line when it is ready (url, port) and one a second: video frames decoded and their size, encoded bytes, audio
packets, publishers seen. SIGSTOP makes it stop reading. Needs what camera.py needs.
"""
import argparse, json, os, signal, sys
import gi
gi.require_version('Gst', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import GLib, Gst, GstRtspServer

DEPAY = {'aac': 'rtpmp4gdepay', 'pcmu': 'rtppcmudepay'}


def launch(audio):
    video = 'rtph264depay name=depay0 ! h264parse ! identity name=coded ! avdec_h264 ! identity name=decoded ! fakesink sync=false'
    sound = f' {DEPAY[audio]} name=depay1 ! identity name=sound ! fakesink sync=false' if audio != 'none' else ''
    return f'( {video}{sound} )'


class Counts:
    def __init__(self):
        self.values = {'frames': 0, 'bytes': 0, 'audio': 0, 'publishers': 0, 'width': 0, 'height': 0}

    def configure(self, _, media):
        self.values['publishers'] += 1
        element = media.get_element()
        for name, count in (('coded', self.coded), ('decoded', self.decoded), ('sound', self.sound)):
            part = element.get_by_name(name)
            if part is not None:
                part.get_static_pad('src').add_probe(Gst.PadProbeType.BUFFER, count)

    def coded(self, _, info):
        self.values['bytes'] += info.get_buffer().get_size()
        return Gst.PadProbeReturn.OK

    def decoded(self, pad, _):
        self.values['frames'] += 1
        shape = pad.get_current_caps().get_structure(0)
        self.values['width'], self.values['height'] = shape.get_value('width'), shape.get_value('height')
        return Gst.PadProbeReturn.OK

    def sound(self, *_):
        self.values['audio'] += 1
        return Gst.PadProbeReturn.OK


def rights(factory, role):
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_role(role)
    for right in ('media.factory.access', 'media.factory.construct'):
        permissions.add_permission_for_role(role, right, True)
    factory.set_permissions(permissions)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--port', default='0')
    parser.add_argument('--path', default='/record')
    parser.add_argument('--audio', choices=['none'] + list(DEPAY), default='none')
    parser.add_argument('--user')
    parser.add_argument('--password')
    args = parser.parse_args()

    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address('127.0.0.1')
    server.set_service(args.port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
    factory.set_launch(launch(args.audio))
    factory.set_latency(0)
    if args.user:
        auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
        auth.set_supported_methods(2)  # digest
        token.set_string('media.factory.role', 'user')
        auth.add_digest(args.user, args.password, token)
        server.set_auth(auth)
        rights(factory, 'user')
    counts = Counts()
    factory.connect('media-configure', counts.configure)
    server.get_mount_points().add_factory(args.path, factory)
    if server.attach(None) == 0:
        print(f'cannot listen on port {args.port}', file=sys.stderr)
        sys.exit(1)

    def report():
        print(json.dumps(counts.values), flush=True)
        return True

    loop = GLib.MainLoop()
    for number in (signal.SIGTERM, signal.SIGINT):
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, loop.quit)
    GLib.timeout_add_seconds(1, report)
    port = server.get_bound_port()
    print(json.dumps({'url': f'rtsp://127.0.0.1:{port}{args.path}', 'port': port}), flush=True)
    loop.run()
    report()
    os._exit(0)


if __name__ == '__main__':
    main()
