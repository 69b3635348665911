package sdk;

/** Bodies that do not survive when someone takes them for text or cuts them. */
final class Bodies {
  private Bodies() {}

  /** Each of the 256 byte values. */
  static byte[] binary() {
    return bytes(256);
  }

  static byte[] large() {
    return bytes(1 << 20);
  }

  private static byte[] bytes(int length) {
    byte[] bytes = new byte[length];
    for (int index = 0; index < length; index++) {
      bytes[index] = (byte) (index ^ index >> 8);
    }
    return bytes;
  }
}
