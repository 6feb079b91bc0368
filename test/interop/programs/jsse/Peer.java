import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.*;
import java.security.cert.*;
import java.util.*;
import javax.net.ssl.*;

/**
 * A TLS 1.3 peer over JSSE, for many connections, because a JVM is slow to start.
 * Client: each line of standard input is "PORT HOST SUITE SHOWS PATH GROUPS", answered with "done ..." or
 * "failed ...".
 * Server: prints "port KIND REQUIRES N" for each certificate, then serves until its input ends.
 */
public class Peer {
  static final char[] PASSWORD = "potato".toCharArray();
  static X509TrustManager trust;

  public static void main(String[] args) throws Exception {
    KeyStore authorities = KeyStore.getInstance("PKCS12");
    authorities.load(null, null);
    try (InputStream in = new FileInputStream(args[1])) {
      authorities.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
    factory.init(authorities);
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    if (args[0].equals("client")) {
      System.out.println("ready " + System.getProperty("java.version") + " groups " + canNameGroups());
      for (String line; (line = input.readLine()) != null; ) {
        try {
          System.out.println("done " + client(line.split(" "), factory.getTrustManagers(), args[2]));
        } catch (Exception error) {
          System.out.println("failed " + error);
        }
      }
    } else {
      for (int i = 2; i < args.length; i++) {
        serve(args[i], false, factory.getTrustManagers());
        serve(args[i], true, factory.getTrustManagers());
      }
      System.out.println("ready");
      while (input.readLine() != null) {}
      System.exit(0);
    }
  }

  static SSLContext context(String pkcs12, TrustManager[] trust) throws Exception {
    KeyManager[] keys = null;
    if (pkcs12 != null) {
      KeyStore store = KeyStore.getInstance("PKCS12");
      try (InputStream in = new FileInputStream(pkcs12)) {
        store.load(in, PASSWORD);
      }
      KeyManagerFactory factory = KeyManagerFactory.getInstance("PKIX");
      factory.init(store, PASSWORD);
      keys = factory.getKeyManagers();
    }
    SSLContext context = SSLContext.getInstance("TLSv1.3");
    context.init(keys, trust, null);
    return context;
  }

  static boolean canNameGroups() {
    return Arrays.stream(SSLParameters.class.getMethods())
        .anyMatch(one -> one.getName().equals("setNamedGroups"));
  }

  static String client(String[] words, TrustManager[] trust, String person) throws Exception {
    String host = words[1], path = words[4];
    SSLContext context = context(words[3].equals("shows") ? person : null, trust);
    SSLSession before = null;
    String result = "";
    for (int i = 0; i < (path.equals("resumption") ? 2 : 1); i++) {
      java.net.Socket raw = new java.net.Socket("127.0.0.1", Integer.parseInt(words[0]));
      SSLSocketFactory sockets = context.getSocketFactory();
      try (SSLSocket socket = (SSLSocket) sockets.createSocket(raw, host, raw.getPort(), true)) {
        SSLParameters parameters = socket.getSSLParameters();
        parameters.setProtocols(new String[] {"TLSv1.3"});
        parameters.setCipherSuites(new String[] {words[2]});
        parameters.setServerNames(List.of(new SNIHostName(host)));
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        if (!words[5].equals("-")) {
          SSLParameters.class.getMethod("setNamedGroups", String[].class)
              .invoke(parameters, (Object) words[5].split(","));
        }
        socket.setSSLParameters(parameters);
        socket.setSoTimeout(10000);
        socket.startHandshake();
        exchange(socket, "first potato\n");
        // In TLS 1.3 this is a KeyUpdate (JSSE Reference Guide).
        if (path.equals("rekey")) socket.startHandshake();
        exchange(socket, "second potato\n");
        result = socket.getSession().getCipherSuite();
      }
    }
    return result;
  }

  static void exchange(SSLSocket socket, String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
    socket.getOutputStream().write(bytes);
    socket.getOutputStream().flush();
    byte[] heard = socket.getInputStream().readNBytes(bytes.length);
    if (!Arrays.equals(bytes, heard)) throw new IOException("heard " + new String(heard));
  }

  static void serve(String pkcs12, boolean requires, TrustManager[] trust) throws Exception {
    SSLContext context = context(pkcs12, trust);
    SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory()
        .createServerSocket(0, 50, java.net.InetAddress.getByName("127.0.0.1"));
    listener.setEnabledProtocols(new String[] {"TLSv1.3"});
    listener.setNeedClientAuth(requires);
    String kind = Path.of(pkcs12).getFileName().toString().replace(".p12", "");
    System.out.println("port " + kind + " " + requires + " " + listener.getLocalPort());
    Thread acceptor = new Thread(() -> {
      while (true) {
        try {
          SSLSocket socket = (SSLSocket) listener.accept();
          Thread talker = new Thread(() -> talk(socket));
          talker.setDaemon(true);
          talker.start();
        } catch (IOException error) {
          System.out.println("failed " + error);
        }
      }
    });
    acceptor.setDaemon(true);
    acceptor.start();
  }

  static void talk(SSLSocket socket) {
    try (socket) {
      byte[] buffer = new byte[1000];
      for (int n; (n = socket.getInputStream().read(buffer)) > 0; ) {
        if (new String(buffer, 0, n, StandardCharsets.US_ASCII).startsWith("rekey")) socket.startHandshake();
        socket.getOutputStream().write(buffer, 0, n);
        socket.getOutputStream().flush();
      }
    } catch (IOException error) {
      System.out.println("failed " + error);
    }
  }
}
