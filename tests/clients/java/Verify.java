import com.standardwebhooks.Webhook;
import com.standardwebhooks.exceptions.WebhookVerificationException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.http.HttpHeaders;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;

/** Verifies webhooks with the Java library of Standard Webhooks; tests/clients/webhooks_test.py tells the lines. */
class Verify {
    public static void main(String[] arguments) throws IOException {
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line; (line = lines.readLine()) != null; ) {
            String[] fields = Arrays.stream(line.split(" ", -1))
                .map(each -> new String(Base64.getDecoder().decode(each), StandardCharsets.UTF_8))
                .toArray(String[]::new);
            var headers = HttpHeaders.of(Map.of("webhook-id", List.of(fields[1]), "webhook-timestamp", List.of(fields[2]),
                "webhook-signature", List.of(fields[3])), (name, value) -> true);
            try {
                new Webhook(fields[0]).verify(fields[4], headers);
                System.out.println("ok");
            } catch (WebhookVerificationException error) {
                System.out.println(error.getMessage());
            }
        }
    }
}
