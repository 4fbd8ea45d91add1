import Foundation
import TestSupport
import Testing

@testable import MediaIO

/// RTP packets and their description, read by ffmpeg.
@Suite struct LiveRTPTests {
    @Test func packetsAreOfTheirSizeAndInOrder() throws {
        let source = try LiveSource(width: 320, height: 240)
        let packetizer = try RTPPacketizer(streams: source.streams, packetSize: 600)
        let track = try #require(packetizer.tracks.first)
        #expect(packetizer.tracks.count == 1)
        #expect(track.clockRate == 90000 && track.payloadType == 96)
        var sequence: UInt16?
        var first: UInt32?
        for index in 0..<40 {
            let result = try #require(try packetizer.packets(of: source.next(isNoise: index == 20)[0]))
            #expect(result.track == 0)
            for (position, packet) in result.packets.enumerated() {
                #expect(packet.count > 12 && packet.count <= 600)
                #expect(packet[0] == 0x80)
                #expect(Int(packet[1] & 0x7f) == track.payloadType)
                // The marker bit ends a picture (RFC 6184, 5.1).
                #expect((packet[1] & 0x80 != 0) == (position == result.packets.count - 1))
                let number = UInt16(packet[2]) << 8 | UInt16(packet[3])
                if let sequence { #expect(number == sequence &+ 1) }
                sequence = number
                let stamp = RTPPacketizer.timestamp(of: packet)
                if first == nil { first = stamp }
                #expect(stamp &- first! == UInt32(index * 3600))
                #expect(packet[8..<12].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } == track.ssrc)
            }
        }
    }

    /// A reader who comes late knows nothing but what is in the stream.
    @Test func everyKeyframeBringsItsParameterSets() throws {
        let source = try LiveSource()
        let packetizer = try RTPPacketizer(streams: source.streams)
        for index in 0..<20 {
            let packets = try #require(try packetizer.packets(of: source.next(asKeyframe: index == 12)[0])).packets
            let types = packets.flatMap(h264Types)
            let isKey = index == 0 || index == 12
            #expect(types.contains(5) == isKey, "\(index): \(types)")
            if isKey { #expect(Array(types.prefix(2)) == [7, 8], "\(index): \(types)") }
        }
    }

    @Test(arguments: [("libx264", false), ("libx264", true), ("libx265", true), ("libvpx", false)])
    func ffmpegReadsWhatTheDescriptionSays(encoder: String, joinsLate: Bool) throws {
        let media = try InputMedia()
        let tone = try media.make("tone.m4a", "-f lavfi -i sine=r=44100 -t 20 -c:a aac")
        let source = try LiveSource(LiveEncoding(settings: EncoderSettings(name: encoder), keyframeInterval: 1), sound: tone)
        let packetizer = try RTPPacketizer(streams: source.streams)
        #expect(packetizer.notices == [])
        #expect(packetizer.tracks.map(\.clockRate) == [90000, 44100])
        let ports = [try Loopback.freePort(SOCK_DGRAM) & ~1, try Loopback.freePort(SOCK_DGRAM) & ~1]
        let senders = ports.map { Loopback.Sender(port: $0) }
        // Without the parameter sets, which then have to come in the stream.
        let sdp = packetizer.sdp.replacing(/a=fmtp:96 sprop[^\r]*\r\n|; ?sprop-[^;\r]*/, with: "")
            .replacing("m=video 0", with: "c=IN IP4 127.0.0.1\r\nm=video \(ports[0])")
            .replacing("m=audio 0", with: "m=audio \(ports[1])")
        #expect(!sdp.contains("sprop"))
        let file = try media.write("a.sdp", Array(sdp.utf8))
        let send = { (packet: Packet) in
            guard let result = try packetizer.packets(of: packet) else { return }
            for bytes in result.packets { senders[result.track].send(bytes) }
        }
        if joinsLate { for _ in 0..<37 { for packet in try source.next() { try send(packet) } } }
        // Into a file each, as no sender reports say how their times belong together.
        let (video, audio) = (media.path("video.mkv"), media.path("audio.mkv"))
        let reader = try Peer(
            "ffmpeg",
            ["-v", "error", "-nostdin", "-protocol_whitelist", "file,udp,rtp", "-i", file]
                + ["-map", "0:v", "-frames:v", "40", "-c:v", "ffv1", video, "-map", "0:a", "-frames:a", "60", "-c:a", "copy", audio])
        #expect(try source.play(isDone: { !reader.isRunning }, send: send), "\(reader.text)")
        #expect(try decodedFrames(video).count == 40)
        #expect(try probedPackets(audio, "a").count == 60)
    }

    @Test func adtsHeadersOfACameraAreLeftOut() throws {
        let media = try InputMedia()
        let tone = try media.make("tone.ts", "-f lavfi -i sine=r=48000 -t 2 -c:a aac -f mpegts")
        let source = try LiveSource(sound: tone)
        let packetizer = try RTPPacketizer(streams: source.streams)
        // AAC-LC, 48 kHz, mono (RFC 3640).
        #expect(packetizer.sdp.contains("config=1188"), "\(packetizer.sdp)")
        var count = 0
        for _ in 0..<25 {
            for packet in try source.next() where packet.streamIndex == 1 {
                #expect(packet.bytes[0] == 0xff)
                for rtp in try packetizer.packets(of: packet)?.packets ?? [] {
                    // 16 bits of length, 16 bits of header, then the frame.
                    #expect(rtp[16] != 0xff)
                    count += 1
                }
            }
        }
        #expect(count > 30)
    }

    @Test func aCodecWithoutAPayloadIsRefused() throws {
        let source = try LiveSource(LiveEncoding(settings: EncoderSettings(name: "ffv1")))
        let error = #expect(throws: MediaError.self) { try RTPPacketizer(streams: source.streams) }
        #expect(error?.code == .unsupportedOption)
        #expect(error?.message == "ffv1 video is not usable for RTSP")
    }

    @Test func audioWithoutAPayloadIsLeftOutAndNamed() throws {
        let media = try InputMedia()
        let tone = try media.make("tone.flac", "-f lavfi -i sine -t 1 -c:a flac")
        let source = try LiveSource(sound: try media.make("tone.mkv", "-i \(tone) -c copy"))
        let packetizer = try RTPPacketizer(streams: source.streams)
        #expect(packetizer.tracks.count == 1)
        #expect(packetizer.notices == ["flac audio has no place in RTSP: its readers go without sound"])
        for packet in try source.next() where packet.streamIndex == 1 { #expect(try packetizer.packets(of: packet) == nil) }
    }

    /// Types of the NAL units in an RTP packet (RFC 6184, 5.2).
    private func h264Types(_ packet: [UInt8]) -> [UInt8] {
        let type = packet[12] & 0x1f
        switch type {
        case 24:
            var types: [UInt8] = []
            var rest = packet[13...]
            while rest.count > 2 {
                let length = Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])
                types.append(rest[rest.startIndex + 2] & 0x1f)
                rest = rest.dropFirst(2 + length)
            }
            return types
        case 28: return packet[13] & 0x80 != 0 ? [packet[13] & 0x1f] : []
        default: return [type]
        }
    }
}
