package sdk;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/** One line for each behaviour, and whether all were as expected. */
final class Report {
  private boolean failed;

  interface Check {
    void run() throws Exception;
  }

  boolean failed() {
    return failed;
  }

  void check(String behaviour, Check check) {
    try {
      check.run();
      System.out.println("ok " + behaviour);
    } catch (Throwable cause) {
      failed = true;
      System.out.println("FAIL " + behaviour + ": " + cause.toString().replace('\n', ' '));
    }
  }

  interface Ask {
    String answer() throws Exception;
  }

  interface AnswerCheck {
    void run(List<String> parts) throws Exception;
  }

  /** A check of what only the servers beside this client tell, in parts divided by commas. */
  void checkIfOwn(String behaviour, Ask ask, AnswerCheck check) {
    String answer;
    try {
      answer = ask.answer();
    } catch (Exception cause) {
      check(behaviour, () -> {
        throw cause;
      });
      return;
    }
    if (answer != null) {
      check(behaviour, () -> check.run(List.of(answer.split(","))));
    }
  }

  static void same(String what, Object expected, Object came) {
    if (!Objects.equals(expected, came)) {
      throw new Unexpected(what, expected, came);
    }
  }

  static void same(String what, byte[] expected, byte[] came) {
    if (!Arrays.equals(expected, came)) {
      String bytes = came == null ? "nothing" : came.length + " bytes";
      throw new Unexpected(what, expected.length + " bytes", bytes + " or different ones");
    }
  }

  static void contains(String what, String part, String came) {
    if (came == null || !came.contains(part)) {
      throw new Unexpected(what, "…" + part + "…", came);
    }
  }

  static <E extends Throwable> E thrown(Class<E> type, Check call) {
    try {
      call.run();
    } catch (Throwable cause) {
      if (type.isInstance(cause)) {
        return type.cast(cause);
      }
      throw new Unexpected("exception", type.getName(), cause);
    }
    throw new Unexpected("exception", type.getName(), "none");
  }

  private static final class Unexpected extends RuntimeException {
    private static final long serialVersionUID = 1;

    Unexpected(String what, Object expected, Object came) {
      super(what + ": expected " + expected + ", came " + came, null, false, false);
    }

    @Override
    public String toString() {
      return getMessage();
    }
  }
}
