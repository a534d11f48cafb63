import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Sends requests with java.net.http: Fetch CA 1.1|2. tests/clients/http_clients.py tells the lines. */
class Fetch {
    static String encoded(byte[] text) {
        return text.length == 0 ? "-" : Base64.getEncoder().encodeToString(text);
    }

    static byte[] decoded(String text) {
        if (text.startsWith("size:")) {
            byte[] data = new byte[Integer.parseInt(text.substring(5))];
            Arrays.fill(data, (byte) 'x');
            return data;
        }
        return text.equals("-") ? new byte[0] : Base64.getDecoder().decode(text);
    }

    static SSLContext trusting(String file) throws Exception {
        var store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (var stream = Files.newInputStream(Path.of(file))) {
            store.setCertificateEntry("it", CertificateFactory.getInstance("X.509").generateCertificate(stream));
        }
        var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        var context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    static String send(HttpClient client, String[] fields) throws Exception {
        BodyPublisher body = fields[3].equals("-") ? BodyPublishers.noBody() : BodyPublishers.ofByteArray(decoded(fields[3]));
        var request = HttpRequest.newBuilder(URI.create(fields[1])).method(fields[0], body).timeout(Duration.ofSeconds(60));
        new String(decoded(fields[2]), StandardCharsets.UTF_8).lines().forEach(line -> {
            String[] parts = line.split(": ", 2);
            request.header(parts[0], parts[1]);
        });
        var reply = client.send(request.build(), BodyHandlers.ofByteArray());
        var headers = new StringBuilder();
        reply.headers().map().forEach((name, values) ->
            headers.append(name).append(": ").append(String.join(", ", values)).append('\n'));
        String version = reply.version() == HttpClient.Version.HTTP_2 ? "2" : "1.1";
        return reply.statusCode() + " " + version + " " + encoded(headers.toString().getBytes(StandardCharsets.UTF_8))
            + " " + encoded(reply.body());
    }

    public static void main(String[] arguments) throws Exception {
        var version = arguments[1].equals("2") ? HttpClient.Version.HTTP_2 : HttpClient.Version.HTTP_1_1;
        var client = HttpClient.newBuilder().version(version).sslContext(trusting(arguments[0])).build();
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line; (line = lines.readLine()) != null; ) {
            try {
                System.out.println(send(client, line.split(" ")));
            } catch (Exception error) {
                System.out.println("error " + encoded(error.toString().getBytes(StandardCharsets.UTF_8)) + " - -");
            }
        }
    }
}
