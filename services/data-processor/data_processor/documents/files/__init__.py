"""What a file really is: judged by its content, by decoders that are told what they may be."""
