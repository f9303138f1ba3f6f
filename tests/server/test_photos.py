"""Photos: uploaded once, named by their hash, decoded safely."""

import contextlib
import hashlib
import http.client
import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from na_core.scene import MAX_SIDE
from server.failures import Failure
from server.photos import decode_photo
from tests.server.conftest import ROOT

ABSENT = "0" * 64


def name_of(data):
    return hashlib.sha256(data).hexdigest()


def test_an_upload_makes_the_photo_known(scripted, picture_file):
    data = picture_file(33, 21, seed=5)
    path = f"/v1/photos/{name_of(data)}"
    assert scripted.request("GET", path)[0] == 404
    assert scripted.request("HEAD", path)[0] == 404
    assert scripted.request("PUT", path, data) == (200, {"width": 33, "height": 21})
    assert scripted.request("GET", path) == (200, {"width": 33, "height": 21})
    assert scripted.request("HEAD", path) == (200, None)
    assert scripted.request("PUT", path, data) == (200, {"width": 33, "height": 21})


def test_an_unknown_photo_is_named(scripted):
    status, answer = scripted.request("GET", f"/v1/photos/{ABSENT}")
    assert (status, answer["error"]["code"], answer["error"]["photos"]) == (404, "photos_missing", [ABSENT])


@pytest.mark.parametrize("name", ["x", "A" * 64, "0" * 63, "..%2F..%2Fetc%2Fpasswd"])
def test_only_a_hash_is_a_name(scripted, name):
    status, answer = scripted.request("PUT", f"/v1/photos/{name}", b"x")
    assert (status, answer["error"]["code"]) in ((400, "photo_name_invalid"), (404, "not_found"))


def test_bytes_that_do_not_match_their_name_are_refused(scripted, picture_file):
    status, answer = scripted.request("PUT", f"/v1/photos/{ABSENT}", picture_file())
    assert (status, answer["error"]["code"]) == (400, "hash_mismatch")
    assert scripted.request("GET", f"/v1/photos/{ABSENT}")[0] == 404


@pytest.mark.parametrize("data", [b"", b"garbage" * 100, b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_photo_is_refused(scripted, data):
    status, answer = scripted.request("PUT", f"/v1/photos/{name_of(data)}", data)
    assert (status, answer["error"]["code"]) == (400, "photo_unreadable")


def test_a_photo_that_is_cut_short_is_refused(scripted, picture_file):
    data = picture_file(200, 200, "JPEG")[:-2000]
    status, answer = scripted.request("PUT", f"/v1/photos/{name_of(data)}", data)
    assert (status, answer["error"]["code"]) == (400, "photo_unreadable")


def test_an_upload_that_announces_too_much_is_refused_before_it_is_sent(scripted):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", scripted.port, timeout=30)) as connection:
        connection.putrequest("PUT", f"/v1/photos/{ABSENT}")
        for name, value in scripted.headers(Content_Length=str(64 * 2**20 + 1)).items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        assert response.status == 413
        assert b"photo_too_large" in response.read()


def test_an_upload_that_turns_out_too_long_is_refused(scripted):
    def parts():
        for _ in range(65):
            yield bytes(2**20)

    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", scripted.port, timeout=60)) as connection:
        headers = scripted.headers(Transfer_Encoding="chunked")
        connection.request("PUT", f"/v1/photos/{ABSENT}", parts(), headers, encode_chunked=True)
        assert connection.getresponse().status == 413
    assert scripted.request("GET", "/v1/health")[0] == 200


def test_a_picture_of_absurd_size_is_refused_before_its_pixels_are_decoded():
    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10)))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(Failure) as caught:
        decode_photo(bomb)
    assert caught.value.code in ("photo_too_large", "photo_unreadable")


def encoded(image, format="PNG", **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG"])
def test_the_usual_formats_are_read(format):
    image = Image.new("RGB", (20, 10), (200, 100, 50))
    pixels = decode_photo(encoded(image, format))
    assert pixels.shape == (10, 20, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - (200, 100, 50)).max() <= 4


def test_a_photo_taken_with_the_camera_on_its_side_comes_out_upright():
    image = Image.new("RGB", (20, 10))
    image.paste((255, 0, 0), (0, 0, 5, 10))  # the left of the stored rows is red
    exif = Image.Exif()
    exif[0x0112] = 6  # stored rows' left is the top
    pixels = decode_photo(encoded(image, exif=exif))
    assert pixels.shape == (20, 10, 3)
    assert (pixels[:5] == (255, 0, 0)).all()
    assert (pixels[5:] == 0).all()


def test_transparent_pixels_become_mid_grey():
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    image.putpixel((0, 0), (255, 0, 0, 255))
    pixels = decode_photo(encoded(image))
    assert tuple(pixels[0, 0]) == (255, 0, 0)
    assert tuple(pixels[3, 3]) == (128, 128, 128)


def test_sixteen_bits_are_scaled_not_clipped():
    values = np.array([[0, 32768, 65535]], np.uint16)
    pixels = decode_photo(encoded(Image.fromarray(values)))
    assert pixels[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "CMYK"])
def test_other_kinds_of_pixels_become_rgb(mode):
    format = "TIFF" if mode == "CMYK" else "PNG"
    assert decode_photo(encoded(Image.new(mode, (6, 4)), format)).shape == (4, 6, 3)


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_a_large_photo_is_made_smaller_and_keeps_its_proportions(format):
    pixels = decode_photo(encoded(Image.new("RGB", (5000, 2500), (10, 200, 30)), format))
    assert pixels.shape == (MAX_SIDE // 2, MAX_SIDE, 3)
    assert np.abs(pixels.astype(int) - (10, 200, 30)).max() <= 4


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "I;16"])
@pytest.mark.parametrize("side", [4500, 9000])
def test_a_large_photo_of_any_kind_shows_what_it_showed(mode, side):
    dark, light = np.zeros((40, side // 2), np.uint8), np.full((40, side - side // 2), 255, np.uint8)
    halves = np.concatenate([dark, light], axis=1)
    if mode == "I;16":
        image = Image.fromarray(halves.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(halves).convert("RGB").convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored rows' left is the top
    pixels = decode_photo(encoded(image, exif=exif)).astype(int)
    assert pixels.shape[0] == MAX_SIDE
    assert pixels[:2000].max() <= 2
    assert pixels[2100:].min() >= 253


PEAK = """
import sys
from PIL import Image
from server.photos import decode_photo
from tests.server.conftest import ROOT

def memory(name):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(name))

data = sys.stdin.buffer.read()
before = memory("VmRSS")
pixels = decode_photo(data)
peak, kept = memory("VmHWM"), pixels.nbytes // 2**20
del pixels
print(peak - before, memory("VmRSS") - before, kept)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system does not tell a process's peak")
@pytest.mark.parametrize("mode", ["P", "I;16", "RGBA"])
def test_a_huge_photo_takes_little_memory_and_gives_it_back(mode):
    data = encoded(Image.new(mode, (12_000, 12_000)), compress_level=1)
    done = subprocess.run([sys.executable, "-c", PEAK], input=data, capture_output=True, check=True, cwd=ROOT)
    peak, after, kept = map(int, done.stdout.split())
    assert kept == 48
    assert peak <= 900  # MiB; its pixels alone are 144 to 576
    assert after <= 60


def test_a_format_whose_decoder_copies_the_picture_has_a_limit_of_its_own():
    assert decode_photo(encoded(Image.new("L", (9000, 9000)))).shape == (MAX_SIDE, MAX_SIDE, 3)
    with pytest.raises(Failure, match="more than 60 million") as caught:
        decode_photo(encoded(Image.new("L", (9000, 9000)), "WEBP"))
    assert caught.value.code == "photo_too_large"
