// Java's own client. It speaks no TLS to a proxy: a port of this program does so for it.

import java.io.IOException;
import java.io.InputStream;
import java.net.Authenticator;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.PasswordAuthentication;
import java.net.ProxySelector;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

class Java {
    static SSLContext trust() throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (InputStream file = Files.newInputStream(Path.of("trusted.pem"))) {
            int count = 0;
            for (Certificate each : CertificateFactory.getInstance("X.509").generateCertificates(file)) {
                store.setCertificateEntry("authority" + count++, each);
            }
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        SSLContext made = SSLContext.getInstance("TLS");
        made.init(null, managers.getTrustManagers(), null);
        return made;
    }

    /** A port of this machine, and what comes there goes on to the gateway in TLS. */
    static InetSocketAddress port(URI gateway, SSLContext trust) throws IOException {
        ServerSocket listener = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
        background(() -> {
            while (true) {
                Socket near = listener.accept();
                SSLSocket far = (SSLSocket) trust.getSocketFactory()
                    .createSocket(gateway.getHost(), gateway.getPort());
                SSLParameters named = far.getSSLParameters();
                named.setEndpointIdentificationAlgorithm("HTTPS");
                far.setSSLParameters(named);
                background(() -> copy(near, far));
                background(() -> copy(far, near));
            }
        });
        return (InetSocketAddress) listener.getLocalSocketAddress();
    }

    static Void copy(Socket from, Socket to) throws IOException {
        try (from; to) {
            from.getInputStream().transferTo(to.getOutputStream());
        }
        return null;
    }

    static void background(Callable<Void> task) {
        Thread thread = new Thread(new FutureTask<>(task));
        thread.setDaemon(true);
        thread.start();
    }

    public static void main(String[] arguments) throws Exception {
        // Without this, Java leaves out Basic where it asks for a tunnel.
        System.setProperty("jdk.http.auth.tunneling.disabledSchemes", "");
        URI proxy = URI.create(System.getenv("HTTPS_PROXY"));
        SSLContext trust = trust();
        String[] login = proxy.getUserInfo().split(":", 2);
        HttpClient client = HttpClient.newBuilder()
            .proxy(ProxySelector.of(port(proxy, trust)))
            .authenticator(new Authenticator() {
                @Override
                protected PasswordAuthentication getPasswordAuthentication() {
                    return new PasswordAuthentication(login[0], login[1].toCharArray());
                }
            })
            .sslContext(trust)
            .build();
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("https://files.example:8443/java.tar"));
        HttpResponse<Void> put = client.send(
            request.PUT(HttpRequest.BodyPublishers.ofFile(Path.of("home.tar"))).build(),
            HttpResponse.BodyHandlers.discarding());
        HttpResponse<Path> get = client.send(
            request.GET().build(), HttpResponse.BodyHandlers.ofFile(Path.of("restored.tar")));
        if (put.statusCode() != 201 || get.statusCode() != 200) {
            throw new Exception(put + " " + get);
        }
    }
}
