"""Host protocol: how do hosts talk to the manager over HTTP?"""
