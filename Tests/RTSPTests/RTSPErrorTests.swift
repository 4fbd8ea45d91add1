import Testing

@testable import RTSP

@Suite struct RTSPErrorTests {
    @Test func saysWhatWhyAndWhatToDo() {
        let error = RTSPError(.addressInUse, "port 8554 is taken", remedy: "give another one", cause: "Address already in use")
        #expect("\(error)" == "port 8554 is taken (Address already in use); give another one")
    }
}
