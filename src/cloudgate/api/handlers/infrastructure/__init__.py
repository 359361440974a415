"""Infrastructure: what do calls about servers, repositories and what is wrong there do?"""
