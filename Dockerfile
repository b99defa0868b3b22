# One image for CPUs and GPUs; torch's default wheel brings CUDA's libraries, so that a GPU needs the driver alone.
#
#   docker build -t compoclip .                                                              # CUDA, about 8 GB
#   docker build -t compoclip:cpu --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu .   # CPU, about 2 GB
#
#   docker run --rm -v "$PWD:/data" compoclip:cpu demo --quick --out /data/demo
#   docker run --rm --gpus all --shm-size 8g -v "$PWD:/data" compoclip train fsc-clip --data /data/captions.tsv ...
#   docker run --rm --gpus all --shm-size 8g -v "$PWD:/data" --entrypoint torchrun compoclip \
#       --nproc-per-node 4 -m compoclip train fsc-clip-l14 --data /data/captions.tsv ...
ARG PYTHON=3.12
FROM python:${PYTHON}-slim

ARG TORCH_INDEX=https://pypi.org/simple
ARG EXTRAS=parser,hf,llm,onnx,probe,tensorboard

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1 HF_HOME=/data/.cache/huggingface

# torch comes first: the layer stays while the code changes
RUN pip install --index-url "${TORCH_INDEX}" torch torchvision

WORKDIR /opt/compoclip
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install ".[${EXTRAS}]" && compoclip ls methods

# files that a run writes into a mounted folder belong to whom `--user` names, not to root
RUN useradd --create-home --uid 1000 compoclip && mkdir -p /data && chown compoclip /data
USER compoclip
WORKDIR /data
ENTRYPOINT ["compoclip"]
CMD ["--help"]
