use openpeer_core::control::Control;
use openpeer_core::frame::Frame;

/// Reads a finder frame and a control message; what was read is written and read alike again.
pub fn frame(data: &[u8]) {
    if let Ok(frame) = Frame::decode(data) {
        assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }
    if let Ok(message) = Control::parse(data)
        && message != Control::Unknown
    {
        assert_eq!(Control::parse(&message.to_json()), Ok(message));
    }
}
