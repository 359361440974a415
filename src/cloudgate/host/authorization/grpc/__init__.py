"""gRPC: how does Envoy ask this process, over HTTP/2?"""
